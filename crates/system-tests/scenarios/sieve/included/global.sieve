require ["include","variables"]; global "x"; set "x" "${x} two";
