require "reject";
reject text:
Not wanted.
.
;
