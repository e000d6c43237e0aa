require ["include","variables"];
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
include :personal "busy3";
