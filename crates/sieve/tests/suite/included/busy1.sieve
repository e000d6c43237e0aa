require ["include","variables"];
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
include :personal "busy2";
