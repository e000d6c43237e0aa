require ["include","variables"]; global "x"; set "x" "gval"; return; set "x" "no";
