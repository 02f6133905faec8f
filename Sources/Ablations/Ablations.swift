// The module Ablations.
