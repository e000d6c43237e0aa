require ["fileinto", "copy"]; fileinto :copy "Folder";
