require "include";
include "busy0";
