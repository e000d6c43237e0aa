require "notify"; notify :id "1" :options "a@example.net"; notify :id "2" :options "b@example.net" :message "$from$: $subject$"; denotify :is "1";
