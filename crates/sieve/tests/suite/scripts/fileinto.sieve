require ["fileinto", "copy"]; fileinto :copy "Folder"; redirect :copy "other@example.net";
