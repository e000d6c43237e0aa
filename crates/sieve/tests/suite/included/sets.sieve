require ["include","variables"];
global "shared";
set "shared" "included";
set "own" "included";
return;
set "shared" "never";
