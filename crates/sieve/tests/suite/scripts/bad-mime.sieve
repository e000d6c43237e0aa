require ["foreverypart","mime","extracttext","variables"];
break;
if header :type "content-type" "x" { }
extracttext "x";
