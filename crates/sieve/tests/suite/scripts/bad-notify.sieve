require "enotify";
notify :importance "4" "mailto:a@b.c";
notify "xmpp:a";
notify "mailto:xxx";
