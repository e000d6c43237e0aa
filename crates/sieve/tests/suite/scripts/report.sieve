require "vnd.dovecot.report"; report :headers_only "abuse" "See this." "abuse@example.org";
