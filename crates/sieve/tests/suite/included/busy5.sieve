require ["include","variables"];
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
include :personal "busy6";
