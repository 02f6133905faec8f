// The module Corpora.
