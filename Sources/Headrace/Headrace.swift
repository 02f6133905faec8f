// The module Headrace.
