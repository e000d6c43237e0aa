require ["include","variables"];
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
include :personal "busy5";
