require "ihave"; error "deliberate"; discard;
