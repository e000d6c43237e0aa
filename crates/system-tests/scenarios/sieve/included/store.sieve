require "fileinto"; fileinto "stored";
