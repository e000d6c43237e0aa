require ["replace", "foreverypart", "mime"];
foreverypart {
	if header :mime :param "filename" :matches "content-disposition" "*.exe" { replace "An attachment was removed."; }
}
