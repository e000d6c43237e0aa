#!/bin/sh
sed "s/^Subject: .*/Subject: filtered/"
