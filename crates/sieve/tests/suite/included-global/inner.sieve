require "fileinto"; fileinto "Two"; stop;
