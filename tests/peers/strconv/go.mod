module strconv_peer

go 1.21
