# A round trip by Python's own mail modules. Arguments: CA file, user, password, and the seven ports.
import email
import email.policy
import imaplib
import poplib
import smtplib
import ssl
import sys
import time
from email.message import EmailMessage

ca_file, user, password = sys.argv[1:4]
smtp, submission, submissions, imap, imaps, pop3, pop3s = map(int, sys.argv[4:])
tls = ssl.create_default_context(cafile=ca_file)
HOST = "localhost"


def message(subject):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "sender@example.org", "alice@localhost", subject
    made.set_content("Grüße\n.\n..dots\n")
    made.add_attachment(bytes(range(256)) * 40, maintype="application", subtype="octet-stream", filename="ä.bin")
    return made


def sent(connection, subject, log_in):
    with connection:
        connection.ehlo()
        if log_in:
            connection.login(user, password)
        assert connection.send_message(message(subject)) == {}


plain = smtplib.SMTP(HOST, smtp)
sent(plain, "plain", False)
with_starttls = smtplib.SMTP(HOST, submission)
with_starttls.starttls(context=tls)
sent(with_starttls, "starttls", True)
sent(smtplib.SMTP_SSL(HOST, submissions, context=tls), "implicit", True)
try:
    with smtplib.SMTP(HOST, smtp) as refused:
        refused.sendmail("a@example.org", ["nobody-here@localhost"], "x")
    raise AssertionError("an unknown user was accepted")
except smtplib.SMTPRecipientsRefused as error:
    assert error.recipients["nobody-here@localhost"][0] == 550, error


def by_imap(connection, wanted):
    kind, data = connection.login(user, password)
    assert kind == "OK"
    # Deliveries take their time; IDLE is not in this imaplib.
    bound = time.monotonic() + 50
    kind, data = connection.select("INBOX")
    while int(data[0]) < wanted and time.monotonic() < bound:
        kind, data = connection.select("INBOX")
    assert int(data[0]) == wanted, data
    subjects, uids = [], connection.uid("SEARCH", None, "ALL")[1][0].split()
    for uid in uids:
        kind, data = connection.uid("FETCH", uid, "(BODY.PEEK[] FLAGS BODYSTRUCTURE)")
        parsed = email.message_from_bytes(data[0][1], policy=email.policy.default)
        subjects.append(str(parsed["Subject"]))
        body = parsed.get_body().get_content()
        assert body.replace("\r\n", "\n") == "Grüße\n.\n..dots\n", body
        (attachment,) = parsed.iter_attachments()
        assert attachment.get_content() == bytes(range(256)) * 40
        assert attachment.get_filename() == "ä.bin"
    assert connection.logout()[0] == "BYE"
    return sorted(subjects)


ALL = ["implicit", "plain", "starttls"]
assert by_imap(imaplib.IMAP4(HOST, imap), 3) == ALL
secured = imaplib.IMAP4(HOST, imap)
secured.starttls(tls)
assert by_imap(secured, 3) == ALL
assert by_imap(imaplib.IMAP4_SSL(HOST, imaps, ssl_context=tls), 3) == ALL

# Mailboxes, flags, copies and expunges; two connections see each other's changes.
one = imaplib.IMAP4_SSL(HOST, imaps, ssl_context=tls)
two = imaplib.IMAP4_SSL(HOST, imaps, ssl_context=tls)
one.login(user, password)
two.login(user, password)
assert one.create("Work")[0] == "OK" and one.subscribe("Work")[0] == "OK"
assert any(b"Work" in line for line in one.lsub()[1])
one.select("INBOX")
two.select("INBOX")
assert one.copy("1:2", "Work")[0] == "OK"
assert one.store("1", "+FLAGS", "(\\Deleted $Label1)")[0] == "OK"
two.noop()
kind, data = two.fetch("1", "(FLAGS)")
assert b"\\Deleted" in data[0] and b"$Label1" in data[0], data
assert one.expunge()[0] == "OK"
two.noop()
assert two.response("EXPUNGE")[1] == [b"1"]
assert int(two.select("Work")[1][0]) == 2
assert two.append("Work", "(\\Seen)", imaplib.Time2Internaldate(1000000000), b"Subject: appended\r\n\r\nx\r\n")[0] == "OK"
two.select("Work")
kind, data = two.fetch("3", "(FLAGS INTERNALDATE RFC822.SIZE)")
assert b"\\Seen" in data[0] and b"RFC822.SIZE 24" in data[0], data
assert imaplib.Internaldate2tuple(data[0]) is not None
assert b"2001" in data[0], data
two.select("INBOX")
assert two.rename("Work", "Play")[0] == "OK" and two.status("Play", "(MESSAGES UNSEEN)")[0] == "OK"
assert one.delete("Play")[0] == "OK"
one.logout()
two.close()
two.logout()


def by_pop3(connection, log_in):
    log_in(connection)
    count, octets = connection.stat()
    assert count == 2, count
    uids = connection.uidl()[1]
    total = 0
    for number in (1, 2):
        total += connection.retr(number)[2]
        connection.top(number, 1)
    assert total >= octets, (total, octets)
    connection.quit()
    return uids


def user_and_pass(connection):
    connection.user(user)
    connection.pass_(password)


first = by_pop3(poplib.POP3(HOST, pop3), user_and_pass)
secured = poplib.POP3(HOST, pop3)
secured.stls(tls)
assert "STLS" not in secured.capa()
assert by_pop3(secured, user_and_pass) == first
assert by_pop3(poplib.POP3_SSL(HOST, pop3s, context=tls), user_and_pass) == first
last = poplib.POP3_SSL(HOST, pop3s, context=tls)
user_and_pass(last)
last.dele(1)
last.quit()
after = poplib.POP3_SSL(HOST, pop3s, context=tls)
user_and_pass(after)
assert after.stat()[0] == 1
after.quit()
print("round trip complete")
