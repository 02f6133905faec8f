// The module Loading.
