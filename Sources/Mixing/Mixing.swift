// The module Mixing.
