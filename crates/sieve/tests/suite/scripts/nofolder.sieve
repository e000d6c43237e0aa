require "fileinto"; fileinto "Nowhere";
