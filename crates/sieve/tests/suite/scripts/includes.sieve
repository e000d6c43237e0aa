require "include";
include :once "store";
include :once "store";
include :optional "missing";
include :global "outer";
