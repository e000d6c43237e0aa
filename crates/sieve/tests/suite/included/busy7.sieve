require ["include","variables"];
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
include :personal "busy8";
