require ["vacation", "vacation-seconds", "fcc", "mailbox", "imap4flags"];
vacation :seconds 100000 :subject "Gone" :from "Other <other@example.com>" :handle "h" :fcc "Sent" :create :flags "\\Seen" :mime text:
Content-Type: text/html; charset=utf-8

<p>I am away</p>
.
;
