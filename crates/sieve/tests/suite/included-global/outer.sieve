require "include";
include :global "inner";
