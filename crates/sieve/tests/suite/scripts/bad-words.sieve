require "nonsense";
fileinto "a";
if header "x" { fileinto "b"; }
redirect "nobody";
