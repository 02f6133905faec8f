// What an embedding program imports: the corpora, the mixtures and the loader.

@_exported public import Corpora
@_exported public import Loading
@_exported public import Mixing
