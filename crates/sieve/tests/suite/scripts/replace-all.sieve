require "replace"; replace :subject "Removed" "Nothing left.";
