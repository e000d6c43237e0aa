require "include"; include "faulty";
