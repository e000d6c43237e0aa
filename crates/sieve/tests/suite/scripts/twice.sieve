require "fileinto"; fileinto "A"; fileinto "A"; redirect "x@y.org"; redirect "X <x@Y.org>";
