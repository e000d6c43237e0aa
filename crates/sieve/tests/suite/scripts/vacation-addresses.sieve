require "vacation"; vacation :addresses ["x@y.z", "somebody@example.net"] "I am away.";
