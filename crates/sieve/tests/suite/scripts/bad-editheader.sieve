require "editheader";
addheader "sub ject" "x";
deleteheader :last "x";
