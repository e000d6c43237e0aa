require "enclose"; enclose :subject "Warning" :headers ["X-Note: yes"] "Take care.";
