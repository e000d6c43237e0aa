require ["imap4flags","fileinto","mailbox","copy"]; setflag "\\Seen"; fileinto :copy :create :flags ["\\Deleted","x"] "A";
