keep, stop;
if header ["a",] "x" { keep; }
