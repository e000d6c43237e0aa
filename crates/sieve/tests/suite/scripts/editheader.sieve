require ["editheader", "fileinto", "mailbox", "copy"];
fileinto :copy :create "Before";
deleteheader "subject";
addheader "Subject" "After";
