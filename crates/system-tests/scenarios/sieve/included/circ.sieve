require "include"; include "circ";
