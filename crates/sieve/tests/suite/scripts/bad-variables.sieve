require "variables";
set "1" "x";
set "1a" "x";
set "foo.bar" "x";
set :lower :upper "a" "b";
