require ["include","variables"];
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
include :personal "busy1";
