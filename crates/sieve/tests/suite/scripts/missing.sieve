require "include"; include :global "missing";
