require ["include","variables"];
set "a" "b";
