require "include"; include "circular";
