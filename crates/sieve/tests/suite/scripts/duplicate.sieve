require "duplicate"; if duplicate :handle "h" :uniqueid "x" :seconds 10 { discard; }
