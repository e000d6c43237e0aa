require ["include","variables"];
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
include :personal "busy7";
