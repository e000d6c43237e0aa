require "enotify"; notify :importance "1" :message "New mail" "mailto:a@example.net?cc=b@example.net&body=Text&X-Tag=one";
