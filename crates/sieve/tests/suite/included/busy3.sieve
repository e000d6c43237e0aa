require ["include","variables"];
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
include :personal "busy4";
